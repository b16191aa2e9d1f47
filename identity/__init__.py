"""Who is this person, or this agency's system?"""
