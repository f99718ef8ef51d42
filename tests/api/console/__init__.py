"""The console, through HTTP and in a browser."""
