"""The bus on NATS core: nothing is kept there, and who attends what is all that it knows."""
