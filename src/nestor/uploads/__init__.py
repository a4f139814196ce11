"""Files that come in through a face of Nestor: kept in the home, then ingested in the background, job after job.

When `submit` returns, the files and the record of their job are on the disk. Whoever starts next finishes what a
killed process left.
"""

from nestor.uploads.jobs import FileStatus, Job, JobFile, Stage, State
from nestor.uploads.names import safe_name
from nestor.uploads.telling import Stopped, Telling
from nestor.uploads.uploads import AssetBusy, NoSuchAsset, QueueFull, Uploads

__all__ = [
    "AssetBusy",
    "FileStatus",
    "Job",
    "JobFile",
    "NoSuchAsset",
    "QueueFull",
    "Stage",
    "State",
    "Stopped",
    "Telling",
    "Uploads",
    "safe_name",
]
