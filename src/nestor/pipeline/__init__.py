"""Ingest in steps that different machines do: plan, embed, store, forget; and the answer to a question.

The steps hand each other small documents and keep the rest as objects (`work`). Each can be done twice, and by two at
once: the manifest, written only over the version that was seen, tells who came between.
"""
