"""Chat models: the port `ChatModel` over Amazon Bedrock and over OpenAI-compatible services."""
