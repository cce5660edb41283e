"""Every migration tool that can be had, beside hands: which of its DDL is linked right, not at all, or wrongly.

`story.py` says what each tool is put through, `hands.py` who works beside it, `verdict.py` what the record must say,
`bench.py` runs many at once under one daemon. `python -m tests.tools` prints the table of docs/tools.md.
"""
