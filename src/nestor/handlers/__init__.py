"""The functions of the pipeline and of the API: each module is one, `handler(event, context)`."""
