"""People who work with the service in a role: what each may do, and which duties exclude each other."""
