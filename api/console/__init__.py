"""The console: pages for people, made of what the endpoints answer."""
