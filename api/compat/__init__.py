"""The APIs of three hosted services, for their clients as they are: each a dialect of our own."""
