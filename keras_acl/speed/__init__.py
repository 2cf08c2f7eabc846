"""What a network costs, and how fast it is on this machine.

architectures   what every architecture of the paper costs, from a table
cost            parameters and multiply-adds, counted from the graph of the inference function
throughput      clips per second of inference, training and data, and which of them waits
"""
