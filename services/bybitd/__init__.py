"""bybitd: one daemon owns the connections to Bybit V5 and shares them over a local bus."""
