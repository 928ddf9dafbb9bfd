"""The `sayseek-server` command: `cli`, over `index` (filling a catalogue) and `models` (what could compute one)."""
