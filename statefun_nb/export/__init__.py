"""From what was tried in a notebook to a program: code, module.yaml, tests."""
