"""A project laid out as Faust's guide has it: an app, and agents in modules beside it that are discovered."""
