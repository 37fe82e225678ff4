"""The texts of rockdove bench, in Chinese."""

from typing import Final

TEXTS: Final = {
    # where it was measured
    "machine": "{processor}，{cores} 核，{memory} GiB，{system}",
    "software": "rockdove {rockdove}，{python}，uvloop {uvloop}",
    "calibration": "fdatasync {sync} 毫秒（{file_system}），基准 {reference} µs CPU",
    "not_durable": "注意：数据在内存中（{file_system}），fsync 没有代价：请用 --out 指定磁盘上的目录",
    # progress
    "step_log_in": "登录",
    "step_warm_up": "预热",
    "step_talk": "收发",
    "step_check": "核对",
    # the table
    "what": "场景",
    "per_second": "每秒",
    "cpu": "服务器 CPU µs",
    "over_floor": "比下限",
    "load": "负载 CPU %",
    "times": "毫秒至",
    "p50": "p50",
    "p90": "p90",
    "p99": "p99",
    "p99.9": "p99.9",
    "max": "最大",
    "unit_message": "消息",
    "time_answered": "已应答",
    "time_received": "已收到",
    "floor": "下限",
    # what is said below
    "comma": "，",
    "good": "{scenario}：没有丢失、重复、篡改或乱序",
    "failed": "{scenario}：失败：{faults}",
    "nothing_done": "什么也没有完成",
    "fault_lost": "丢失 {count}",
    "fault_gap": "缺少序号 {count}",
    "fault_doubled": "重复 {count}",
    "fault_disordered": "乱序 {count}",
    "fault_altered": "内容不符 {count}",
    "fault_stray": "送错 {count}",
    "fault_refused": "被拒绝 {count}",
    "fault_unanswered": "未应答 {count}",
    "fault_cut": "被服务器断开的连接 {count}",
    "busy": "注意：有一个负载进程的 CPU 占用达 {percent} %：消息的用时也受它影响",
    "written": "报告：{report}",
    # errors
    "bench_too_few_users": "文件中只有 {count} 个用户，不够：请增加用户，或缩小场景",
    "bench_open_files": "{connections} 个连接超出了打开文件数上限所允许的 {possible} 个；请先提高上限：ulimit -n {needed}",
    "bench_no_connection": "无法连接 {server}：{reason}；服务器在运行吗？",
    "bench_no_login": "{user} 无法登录：{reason}",
    "bench_no_answer": "服务器没有应答 {user}",
    "bench_refused": "服务器拒绝了 {user} 的请求：{reason}",
    "bench_no_start": "服务器无法启动，见 {log}：{last}",
    "bench_no_tenant": "无法为负载添加租户：{reason}",
    "bench_process_died": "一个负载进程已终止；内存够吗？",
}
