"""``/counter``: officers who have a citizen and an identity card before them."""
