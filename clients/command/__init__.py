"""The `sayseek` command: `cli`, over `asking` and `printing` (files), `listening` and `live_printing` (microphones)."""
