"""Topics computed here, because the exchange has no such stream although users ask by these names.

Pure: `catalogue` says which exist and what each follows, one module per sort computes them, `view`
carries one. `ipc/PROTOCOL.md`, "Derived topics".
"""
