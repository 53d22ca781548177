"""Launchers of the real thing: StateFun on Flink with Kafka, as local JVMs."""
