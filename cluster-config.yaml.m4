dnl What WSF's terraform backend makes machines by: one, with the set-up for AI where there is one that has it.
cluster:
- labels:
    HAS-SETUP-BKC-AI: "preferred"
