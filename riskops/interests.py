"""Which accounts belong to the same person, for the check that nobody decides for themselves."""

from riskops.links.same_person import confirmed_same_person

SAME_PERSON = [confirmed_same_person]
