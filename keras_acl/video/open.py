"""What FFmpeg is made to open: a file, a folder of pictures, or a URL; never what they refer to.

FFmpeg takes any name with a colon for a URL, and playlists name other files. So a path is always
opened as a file, and protocols and formats that are not listed here are refused.
"""

import io
import os
import ssl
import stat
from collections.abc import Callable

import av
import certifi
from av.container import InputContainer

from keras_acl.video.files import PICTURES, is_url, numbered_pictures
from keras_acl.video.video import DecodingError, Video

# Containers and streams of video; sound, so that a sound file is told from a broken one.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,live_flv,mpeg,mpegts,mpegvideo,ogg,asf,mxf,nut,"
    "dv,rm,wtv,dhav,gif,apng,ivf,obu,h261,h263,h264,hevc,vvc,av1,m4v,vc1,mjpeg,yuv4mpegpipe,"
    "wav,mp3,aac,flac"
)
WEB = "http,https,httpproxy,tcp,tls"
PATIENCE = 30.0  # seconds that a server may be silent
PICTURES_FPS = 25.0


def opened(video: Video) -> InputContainer:
    """Open a video with FFmpeg.

    Raises:
        DecodingError: If there is no such file, or it is neither a regular file nor a folder of
            numbered pictures.
        FFmpegError: If FFmpeg cannot read it.
    """
    if video.content is not None:
        return _held(video, video.content)
    # A title in another encoding than UTF-8 is no reason to refuse a video.
    if is_url(video.path):
        options = {"protocol_whitelist": WEB, "format_whitelist": FORMATS, **_certificates()}
        return av.open(video.path, options=options, timeout=PATIENCE, metadata_errors="replace")
    try:
        mode = os.stat(video.path).st_mode
    except (OSError, ValueError) as error:  # ValueError: a null character
        raise DecodingError(video.path, getattr(error, "strerror", None) or str(error)) from error
    if stat.S_ISDIR(mode):
        return _pictures(video)
    if not stat.S_ISREG(mode):  # a pipe would be waited for, a device might never end
        raise DecodingError(video.path, "it is no regular file")
    options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    return av.open(f"file:{video.path}", options=options, metadata_errors="replace")


def _held(video: Video, content: Callable[[], bytes]) -> InputContainer:
    """Open a video whose bytes are a part of something."""
    try:
        held = io.BytesIO(content())
    except (OSError, ValueError) as error:
        raise DecodingError(video.path, getattr(error, "strerror", None) or str(error)) from error
    # `data` is a protocol that opens nothing.
    options = {"protocol_whitelist": "data", "format_whitelist": FORMATS}
    return av.open(held, "r", options=options, metadata_errors="replace")


def _pictures(video: Video) -> InputContainer:
    """Open a folder of numbered pictures."""
    pictures = numbered_pictures(video.path)
    if pictures is None:
        endings = ", ".join(PICTURES)
        raise DecodingError(
            video.path, f"Is a directory, and not one of numbered pictures ({endings}) alone"
        )
    if pictures.missing is not None:
        raise DecodingError(video.path, f"the picture {pictures.missing} is missing")
    options = {
        "framerate": str(video.fps or PICTURES_FPS),
        "start_number": str(pictures.first),
        "pattern_type": "sequence",
        "protocol_whitelist": "file",
        "format_whitelist": "image2",
    }
    pattern = os.path.join(video.path.replace("%", "%%"), pictures.pattern)
    return av.open(f"file:{pattern}", format="image2", options=options)


def _certificates() -> dict[str, str]:
    """Have FFmpeg check whom it talks to, by the authorities of the machine or of Mozilla."""
    file = ssl.get_default_verify_paths().cafile or certifi.where()
    return {"tls_verify": "1", "ca_file": file}
