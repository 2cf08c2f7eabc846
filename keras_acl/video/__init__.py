"""One video file <-> frames: everything that touches FFmpeg (through PyAV), and no Keras.

* `video`: `Video`, a file or a part of it with its label; `VideoLimits`; `DecodingError`.
* `files`: the videos of a folder: files, and folders of numbered pictures.
* `open`: what FFmpeg is made to open, and nothing else.
* `container`: an open file and the clock of its frames.
* `frame_table`: length, size and timestamps of a file (`probe`).
* `seek`: single frames, without decoding the rest.
* `read`: frames at given times; `clips`: clips of a `Video`, what a model sees.
* `crop`, `cutter`: the geometry of what a model sees; crops cut before they are resized.
* `sampling`: which frames make a clip, index arithmetic only.
* `views`: the clips and crops of an evaluation; `windows`: those of a long recording.
* `read_ahead`: many files at a time, in threads.
* `check`, `shrink`: the bad files of a data set; a smaller copy that decodes fast.
* `encode`: the one writer of H.264.
"""
