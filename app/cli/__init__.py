"""The command line: a thin layer over the services, for operators, agencies and anyone who verifies."""
