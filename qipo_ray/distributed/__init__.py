"""The training service on Ray: a broker, Ray Train workers around the engine, clients."""
