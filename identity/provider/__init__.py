"""The OpenID provider: portals ask, a person agrees, tokens follow."""
