"""Everything we say to AWS, and nothing that we decide: what is read becomes an observation, what is planned becomes a call.

From the wire upwards: `wires` send, `channels` bound and translate one call, `sessions` keep credentials fresh, `clients` keep one
connection for each provider, `kms` and `search` speak of keys.
"""
