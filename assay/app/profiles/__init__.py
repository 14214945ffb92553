"""Profiles: one document that says how a platform is run. Its policy part decides, its wiring part says where things are."""
