"""Who a person is and how sure we are of it: accounts, proofing, and what the law grants them."""
