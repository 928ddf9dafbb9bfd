"""What every request passes, as plain ASGI: `access_log`, `prefix`, `origins`, `api_key`, `body_limit`, `load_shedding`
(refusing what would wait in vain) and `shutdown_answer`.
"""
