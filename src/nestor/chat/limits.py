"""Every bound of the chat, in one place."""

QUESTION_CHARACTERS = 2_000
TURNS = 8
"""What a conversation keeps; older ones are forgotten."""
REMEMBERED_CHARACTERS = 2_000
"""Of each answer that is kept; with the questions that is at most 32,000 for a model."""
STANDALONE_CHARACTERS = 400
"""Of a follow-up put into words that stand alone."""

PASSAGES = 20
"""Most that an answer may rest on."""
PASSAGE_CHARACTERS = 4_000
CONTEXT_CHARACTERS = 24_000
"""Of all passages together: about 6,000 tokens of English."""
PICTURES = 6
PICTURE_BYTES = 1 << 20
PICTURES_BYTES = 4 << 20
"""Of all pictures together: as base64 a request stays below 6 MB, less than any of the services takes."""

ANSWER_CHARACTERS = 40_000
"""After these the model is stopped."""
OUTPUT_TOKENS = 2_000
"""What a model is asked to keep to."""

SOURCE_BYTES = 64 << 20
"""Of a file fetched from S3 to look at a place in it."""
LOOK_SECONDS = 20.0
"""For one file, in a reader process."""
