"""Engines on the operator's own network, behind the HTTP interface that OpenAI's has become:
vLLM, llama-server, Ollama, LocalAI, Speaches and others speak it."""
