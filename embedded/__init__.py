"""The making of the embedded model: synthetic documents, tokenizer, initialisation and training.

Nothing here is needed to use the model; `python -m embedded.train` writes constrain/models/embedded/.
"""
