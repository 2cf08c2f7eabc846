"""An archive of videos, classified by several processes or a cluster: parts that are there or not.

`classify` has the call, `manifest` reads what there is to do, `worker` is what each process does,
`pool` starts the processes with Ray, `dispatch` hands out the work, `tables` keeps what is done.
"""
