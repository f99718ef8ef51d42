"""The server: connections, authentication, limits, endpoints and their documents."""
