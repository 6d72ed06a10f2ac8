"""Account events in: read, checked, recorded; identifiers, sightings and facts kept."""
