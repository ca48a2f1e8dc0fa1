"""One module a subcommand. A stage takes a profile and a reporter, and returns a frozen result."""
