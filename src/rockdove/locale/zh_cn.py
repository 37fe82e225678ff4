"""The texts of the chat, in 简体中文."""

from typing import Final

TEXTS: Final = {
    "password": "{user} 的密码：",
    # the conversation
    "you": "我",
    "pending": "… 尚未发送",
    "sent": "·",
    "delivered": "✓",
    "read": "✓✓",
    "not_sent": "未发送：{text}（{reason}）",
    "missing": "第 {first} 到 {last} 条消息已不在服务器上",
    "elsewhere": "{peer}：{text}   (/to {peer})",
    "no_such_command": "没有 {command} 这个命令；输入 /help 查看全部命令",
    "open_first": "请先选择聊天对象：/to 名字",
    "opened": "正在与 {peer} 聊天。",
    "opened_empty": "正在与 {peer} 聊天，还没有消息。",
    "cannot_open": "无法打开与 {peer} 的会话：{reason}",
    "bad_number": "/history 后面应是 1 到 {most} 之间的数字",
    # the list
    "no_conversations": "还没有会话；输入 /to 名字 开始聊天",
    "unread": "{count} 条新消息",
    # the connection
    "lost": "连接断开，{seconds} 秒后重试",
    "waiting": "未连接，{seconds} 秒后重试",
    "connecting": "未连接，正在重试",
    "no_answer": "服务器没有响应，请稍后再试",
    "back": "已重新连接",
    "restored": "服务器已从备份恢复：较新的消息可能已丢失",
    "still_unsent": "{count} 条消息尚未发送；下次在本机聊天时会发出",
    "unsent": "{count} 条等待发送",
    # contents that are not text
    "image": "[图片] {url}",
    "file": "[文件] {name} {url}",
    "audio": "[语音] {name} {url}",
    "video": "[视频] {name} {url}",
    "location": "[位置] {name} {latitude}, {longitude}",
    "custom": "[{kind}]",
    "recall": "[撤回了一条消息]",
    "edit": "[修改了一条消息] {text}",
    "reaction": "[{emoji}]",
    "reaction_removed": "[取消 {emoji}]",
    "unreadable": "[此版本无法显示的消息]",
    # help
    "help": """\
输入文字后按回车发送。{sent} 已发送  {delivered} 已送达  {read} 已读
/to 名字      与某人聊天；#名字 表示群
/list         会话列表
/history [N]  最近 N 条消息，最多 200 条
/help         显示本帮助
/quit         退出；也可按 Ctrl-D
要发送以 / 开头的文字，请在行首多写一个 /。""",
}
