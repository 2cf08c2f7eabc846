"""The machine, its files and the frameworks below: what is not about videos or networks.

devices            what the backend and its device are good at
keras_internals    every use of a private name of Keras or TensorFlow, with the reason
memory             memory of this process and of the machine
atomic_write       files that appear only when they are complete
figures            figures of matplotlib, written to files
html               pieces of HTML with which results show themselves in notebooks
dotted_names       nested settings as one level of names
without_telemetry  OpenVINO, NNCF and Ray, which would report their use
lazy_names         public names that are imported on first use
"""
