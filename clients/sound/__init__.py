"""Sound at the edge: `microphone`, `playback`, `utterances` (cut out of recordings), `speech_gate` (of what is heard
now).
"""
