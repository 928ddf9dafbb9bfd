"""Sayseek: say it, find it. The public Python names of the edge client.

>>> from sayseek import Client
>>> with Client("http://127.0.0.1:8000") as client:          # doctest: +SKIP
...     answer = client.voice_search("question.wav")
...     print(answer.transcript.text, answer.results[0].title)
"""

__version__ = "0.1.0"
