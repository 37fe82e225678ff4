# A client in Ruby, made of nothing but the published schema. Takes orders as JSON lines, answers each with one.
#
#   ruby client.rb PORT GENERATED_MODULE

require "json"
require "socket"
require ARGV.fetch(1)

include Im::V1

class Connection
  def initialize(port)
    @socket = TCPSocket.new("127.0.0.1", port)
  end

  def write(**command)
    data = Command.encode(Command.new(version: 1, **command))
    @socket.write(varint(data.bytesize) + data)
  end

  def read
    Command.decode(@socket.read(read_length) || raise(EOFError))
  end

  def close
    @socket.close
  end

  private

  def varint(value)
    bytes = []
    while value > 127
      bytes << (value & 127 | 128)
      value >>= 7
    end
    (bytes << value).pack("C*")
  end

  def read_length
    length = shift = 0
    loop do
      byte = @socket.readbyte
      length |= (byte & 127) << shift
      return length if byte < 128
      shift += 7
    end
  end
end

# What a received command holds, with its payload opened where it is a message.
def told(command)
  request = command.request
  return JSON.parse(Command.encode_json(command)) unless request

  message = Message.decode(request.payload)
  told = { "text" => MessageTxt.decode(message.payload).txt }
  %w[from to msgid seq].each { |name| told[name] = message[name] if message.respond_to?(name) }
  { "message" => told }
end

connection = Connection.new(Integer(ARGV.fetch(0)))
$stdout.sync = true
$stdin.each_line do |line|
  order = JSON.parse(line, symbolize_names: true)
  case order.delete(:do)
  when "login"
    connection.write(connect: Connect.new(**order))
  when "send"
    content = MessageTxt.encode(MessageTxt.new(txt: order.delete(:text)))
    envelope = order.slice(:seqid)
    message = Message.new(type: :TXT, payload: content, **order.slice(:to))
    connection.write(request: Request.new(type: :MESSAGE, payload: Message.encode(message), **envelope))
  when "ack"
    connection.write(response: Response.new(**order))
  when "ping"
    connection.write(ping: Ping.new)
  when "leave"
    connection.write(disconnect: Disconnect.new)
    connection.close
    break
  when "read"
    puts JSON.generate(told(connection.read))
  end
end
