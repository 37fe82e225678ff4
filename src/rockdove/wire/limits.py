"""Every number of the protocol, with its unit and its section in protocol.md."""

FRAME_BYTES = 128 * 1024  # §2: longest frame after login, when the operator chose no other
FRAME_BYTES_BEFORE_LOGIN = 4 * 1024  # §2
LENGTH_PREFIX_BYTES = 5  # §2: longest varint in front of a frame
FRAME_FINISH_MS = 30_000  # §2: a frame begun must end within this
OPTIONS = 8  # §2: entries in Request.opts

LOGIN_MS = 10_000  # §3: the first frame must come within this

TEXT_BYTES = 16 * 1024  # §4
CONTENT_BYTES = 64 * 1024  # §4
NAME_LENGTH = 64  # §4: characters of a user, org, appkey, device or group id
MENTIONS = 1_000  # §4 leaves it open; bounds what one message can make a reader build
EMOJI_BYTES = 64  # §7 leaves it open; families and flags take up to 40
CLIENT_TEXT_BYTES = 128  # §4, display names: also for Connect.client
DEDUPLICATION_MS = 7 * 86_400_000  # §4: a retry is recognised at least this long

WINDOW = 256  # §5: pushes that may await their ack
BACKLOG_TURN = 50  # §5: messages of one conversation before the next has its turn
REPUSH_MS = 30_000  # §5: without an ack, a message comes again after this
STALLED_READER_MS = 30_000  # §5: one who does not read for this long is disconnected
HEARTBEAT_SECONDS = 30  # §5: what we ask for; the limit is 2.5 times this
HEARTBEATS_MISSED = 2.5  # §5
DEVICE_EXPIRY_MS = 30 * 86_400_000  # §5: a device unseen this long is owed nothing more

PAGE = 50  # §6: limit 0 means this
PAGE_MAX = 200  # §6

DISPLAY_NAME_BYTES = 128  # §4: nicknames, remarks, group names, presence texts
GREETING_BYTES = 512  # §7 leaves it open: of a contact request, and the reason of an answer
CONTACTS = 10_000  # §7 leaves it open: of one user, in whatever state
QUERY_NAMES = 200  # §6, like a page: users in one User.get or Presence.Query
AVATAR_URL_BYTES = 2 * 1024  # of users and groups
ANNOUNCEMENT_BYTES = 4 * 1024  # §7 leaves it open: of a group
NOTICE_NAMES = 500  # §7 leaves it open: users in one notice; more of them take several
PROFILE_ENTRIES = 16  # UserInfo.ext
PROFILE_VALUE_BYTES = 1024  # one value in it
TYPING_GROUP_SIZE = 200  # §6: in larger groups nobody is told who types
HIDE_SEQS = 1_000  # docs/protocol.md, Hide: messages deleted by one request
SEARCH_TEXT_BYTES = 256  # docs/protocol.md, Search
