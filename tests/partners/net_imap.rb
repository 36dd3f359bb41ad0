# Ruby's net-imap, whose parser raises at whatever it does not know.
# It is given host, port, name and password, and a folder of messages to be read.

require "net/imap"

host, port, user, password, folder = ARGV

def login(host, port, user, password)
  imap = Net::IMAP.new(host, port: port.to_i)
  imap.authenticate("PLAIN", user, password)
  imap
end

def check(what, expected, found)
  abort "#{what}: #{found.inspect}, not #{expected.inspect}" unless expected == found
end

imap = login(host, port, user, password)

uses = imap.list("", "%").map { |each| [each.name, each.attr] }.to_h
check "special use", true, uses["Trash"].include?(:Trash)
name = Net::IMAP.encode_utf7("Über & x")
imap.create(name)
imap.subscribe(name)
names = imap.lsub("", "*").map { |each| Net::IMAP.decode_utf7(each.name) }
check "subscribed", true, names.include?("Über & x")
check "rights", [user], imap.getacl(name).map(&:user)

count = imap.status(folder, ["MESSAGES"])["MESSAGES"]
imap.examine(folder)
imap.fetch(1..-1, "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)").each do |each|
  whole = imap.fetch(each.seqno, "(BODY BODY.PEEK[] BODY.PEEK[HEADER.FIELDS (Subject From)])")[0]
  # BODYSTRUCTURE means the same as BODY, and more.
  check "kind", whole.attr["BODY"].media_type, each.attr["BODYSTRUCTURE"].media_type
  check "size", whole.attr["BODY[]"].bytesize, each.attr["RFC822.SIZE"]
end
everything = (1..count).to_a
check "sorted", everything, imap.sort(["REVERSE", "DATE", "SUBJECT"], ["ALL"], "UTF-8").sort
flat = ->(member) { [member.seqno, *member.children.flat_map(&flat)].compact }
check "threaded", everything, imap.thread("REFERENCES", "ALL", "UTF-8").flat_map(&flat).sort
imap.close

appended = imap.append(name, "Subject: ä\r\n\r\nx\r\n", [:Seen, "$Kept"], Time.at(0))
check "UID told", "APPENDUID", appended.data.code.name
imap.select(name)
check "found", [1], imap.uid_search(["SUBJECT", "ä".b], "UTF-8")
check "not found", [], imap.search(["KEYWORD", "$Lost"])
flags = imap.store(1, "+FLAGS", [:Flagged])[0].attr["FLAGS"]
check "flags", [:Flagged, :Seen, "$Kept"], flags - [:Recent]

heard = []
other = Thread.new do
  sleep 0.3
  second = login(host, port, user, password)
  second.append(name, "Subject: two\r\n\r\n", [:Deleted], Time.at(0))
  second.select(name)
  second.expunge
  second.logout
  second.disconnect
end
imap.idle(20) do |response|
  heard << response.name if response.is_a?(Net::IMAP::UntaggedResponse)
  imap.idle_done if response.name == "EXPUNGE"
end
other.join
check "heard", true, heard.index("EXISTS") < heard.index("EXPUNGE")

imap.uid_copy(1, "Archive")
imap.uid_move(1, "Archive")
begin
  imap.select("Nowhere")
  abort "There is no such folder."
rescue Net::IMAP::NoResponseError
  imap.delete(name)
end
imap.logout
imap.disconnect
