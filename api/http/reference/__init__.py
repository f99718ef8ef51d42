"""The OpenAPI document for people (`/docs`) and for language models (`/llms.txt`)."""
