"""Layer 1 as one compact stage: merchants and outlets (1A), places (1B), zones (2A), weights (2B), zone counts (3A), online edges (3B)."""
