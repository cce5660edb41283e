"""Random DDL: a pure generator (`grammar/`, `choose.py`), a driver on real sessions, and a state machine over both.

hypothesis ─▶ machine.py ─▶ grammar/ + choose.py ─▶ driver.py ─▶ two sessions
                                 ▲ live.py (what there is)          └▶ outbox ─▶ Schema == snapshot()
                                                                         shrink.py when it is not
"""
