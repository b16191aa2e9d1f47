"""Where private keys live. Nothing outside this folder touches private bytes."""
