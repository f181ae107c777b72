"""10,000 lines of text that tokenizers find hard: many scripts, emoji, marks, white space, numbers, code, and bytes that are
not UTF-8. The same lines each time, whatever the version of Python."""

import struct

SENTENCES = """
The quick brown fox doesn't jump over the lazy dog; it's they'll who'd've JUMPED, I'M sure WE'RE not.
Fix the bug in parse_config(path: str) -> Optional[dict]: return json.load(open(path))["a_b"][0] if path else None
In 2024, 3.14159 x 10^-23 cost $1,234,567.89 (i.e. 12%), see https://example.org/a?b=c&d=%20#e or mail me@host.co.uk!
Der Flußübergang kostet 3 € für Straßenbahngesellschaften, sagte Frau Müller-Lüdenscheidt zu Ærøskøbing.
L'été dernier, l'œuvre « Cœur naïf » a été dévoilée à l'hôtel où j'ai dîné; ça m'a plu.
¿Dónde está el niño? ¡El pingüino comió jalapeños en Córdoba!
Zażółć gęślą jaźń, a Łódź i Kraków śpią. Příliš žluťoučký kůň úpěl ďábelské ódy.
Ďakujem, ľúbim ťa. Đakovo, Čačak i Šabac. Árvíztűrő tükörfúrógép. Țară și oraș în Timișoara.
İstanbul'da ığdır ŞİŞLİ çok güzel. Diyarbakır'ın IŞIĞI.
Việt Nam: Tiếng Việt có nhiều dấu thanh, người dân nói chuyện vui vẻ.
Съешь же ещё этих мягких французских булок, да выпей чаю. Ґудзики їжака є в Києві.
Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. ΟΔΥΣΣΕΥΣ και Ὀδυσσεύς.
Հայաստանի մայրաքաղաքը Երևանն է։ საქართველოს დედაქალაქი თბილისია.
דג סקרן שט בים מאוכזב ולפתע מצא חברה. בְּרֵאשִׁית בָּרָא אֱלֹהִים
نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر. بِسْمِ ٱللَّٰهِ ۱۲۳٤٥٦ فارسی می‌نویسم
ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश। १२३ क्षत्रिय
বাংলা ভাষা খুব সুন্দর। ਪੰਜਾਬੀ ગુજરાતી தமிழ் மொழி தெலుగు ಕನ್ನಡ മലയാളം සිංහල
ภาษาไทยไม่มีช่องว่างระหว่างคำ ๑๒๓ ພາສາລາວ ភាសាខ្មែរ မြန်မာဘာသာ བོད་སྐད་
いろはにほへと ちりぬるを。カタカナとひらがな、漢字が混ざった文章です。ﾊﾝｶｸ ＡＢＣ１２３！
我能吞下玻璃而不伤身体。中文和English混在一起,還有繁體字「龍」與標點。
모든 인류 구성원의 천부의 존엄성과 동등하고 양도할 수 없는 권리. 한글
ሰላም ለዓለም። ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ ᠮᠣᠩᠭᠣᠯ ᚠᚢᚦᚨᚱᚲ 𐌰𐌱𐌲 𝒜𝓁𝑔𝑒𝒷𝓇𝒶 𝟘𝟙𝟚 Ⅷ ½ ² ① ㈠ ㎏ ﬁ ﬀ
👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 1️⃣ ☃️ 🤦🏻‍♂️ ❤️‍🔥 😀😃😄 ✨🎉 ♻ ♥ ™ © ® → ⇒ ∀x∈ℝ ∑ √2 ≠ ∞
[CLS] a [MASK] token [SEP] and [PAD], <s> </s> <unk> <mask> <pad> <|endoftext|> <|begin_of_text|><|eot_id|>
x = {'key': "val\\n", "n": [1, 22, 333, 4444, 55555]}; // TODO: i18n -- see RFC-2616 §4.2 & ISO 8601 (2026-11-30T23:59Z)
def f(self, *args, **kwargs):        return    lambda x: x ** 2 if x != 0 else float('-inf') # noqa: E501
<html lang="en"><body class='main'>&nbsp;&lt;p&gt; Hello,<br/>world!</p></body></html>
don't can't won't I'd you've he's we're they'll DON'T CAN'T I'D YOU'VE HE'S WE'RE THEY'LL 'S 'ſ ’s ‘quoted’ “double”
electroencephalographically pneumonoultramicroscopicsilicovolcanoconiosis Donaudampfschifffahrtsgesellschaftskapitän
""".strip().split("\n")

# Beginnings and ends of what old versions of Unicode have without gaps.
SCRIPTS = [(0x21, 0x7E), (0xA0, 0xFF), (0x100, 0x17F), (0x180, 0x24F), (0x250, 0x2AF), (0x391, 0x3A1), (0x3B1, 0x3CE),
           (0x410, 0x44F), (0x450, 0x47F), (0x531, 0x556), (0x5D0, 0x5EA), (0x620, 0x64A), (0x64B, 0x655), (0x660, 0x669),
           (0x905, 0x939), (0x93E, 0x94D), (0x985, 0x98C), (0xB95, 0xB95), (0xE01, 0xE3A), (0xE40, 0xE5B), (0x10D0, 0x10F0),
           (0x1100, 0x1159), (0x1161, 0x11A2), (0x11A8, 0x11F9), (0x1200, 0x1206), (0x13A0, 0x13F4), (0x1780, 0x17B3),
           (0x1820, 0x1877), (0x1E00, 0x1E9B), (0x1F00, 0x1F15), (0x2010, 0x2027), (0x2030, 0x205E), (0x2070, 0x2071),
           (0x20A0, 0x20B1), (0x2100, 0x213A), (0x2153, 0x2183), (0x2190, 0x21FF), (0x2200, 0x22FF), (0x2460, 0x24FE),
           (0x2500, 0x25FF), (0x2600, 0x2613), (0x2701, 0x2704), (0x2E80, 0x2E99), (0x3000, 0x303F), (0x3041, 0x3096),
           (0x30A1, 0x30FF), (0x3105, 0x312C), (0x3131, 0x318E), (0x3200, 0x321C), (0x3300, 0x33FF), (0x3400, 0x3450),
           (0x4E00, 0x4EFF), (0x9000, 0x90FF), (0xA000, 0xA0FF), (0xAC00, 0xACFF), (0xD700, 0xD7A3), (0xE000, 0xE010),
           (0xF900, 0xF9FF), (0xFB00, 0xFB06), (0xFB50, 0xFBB1), (0xFE30, 0xFE44), (0xFF01, 0xFF5E), (0xFF61, 0xFF9F),
           (0x10330, 0x1034A), (0x10400, 0x10425), (0x1D400, 0x1D454), (0x1D7CE, 0x1D7FF), (0x1F300, 0x1F320),
           (0x1F600, 0x1F640), (0x20000, 0x20040), (0x2A700, 0x2A710), (0x2F800, 0x2FA1D), (0x300, 0x34E), (0x1D165, 0x1D169)]
SPACES = [" ", " ", " ", " ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", " \n ", "\u00a0", "\u2003", "\u3000", "\u2028", "\u200b",
          "\u200d", "\ufeff", "\u0085", "\x0b", "\x0c", "        ", "\t\t", "\u2581", "\u180e"]
ODD = ["\0", "\x01", "\x1f", "\x7f", "\x80", "\x9f", "\u00ad", "\u0301", "\u0327\u0301", "\u20dd", "\ufe0f", "\ufffd", "\U0010ffff",
       "\u202e", "##", "##ing", "Ġ", "Ċ", "</w>", "<0x0A>", "<0xE2>", "``", "''", "...", "!!!", "-----", "____", "a" * 120,
       "é" * 101, "あ" * 50, "0" * 40, "1" * 7, "q\u0323\u0307", "\u1112\u1161\u11ab", "\u00c5", "\u212b", "A\u030a", "ﷺ", "ŉ", "ǆ", "ﬃ"]
BROKEN = [b"\x80", b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xe2(\xa1",
          b"\xf0\x9f", b"\xfe\xfe", b"\xbf\xbf", b"\xf0\x80\x80\x80", b"\xe0\x9f\xbf"]


class Numbers:
    """Knuth's linear congruential generator."""

    def __init__(self, seed):
        self.state = seed

    def below(self, bound):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % bound

    def of(self, items):
        return items[self.below(len(items))]


def line(numbers):
    kind = numbers.below(10)
    words = [word for _ in range(1 + numbers.below(2)) for word in numbers.of(SENTENCES).split(" ")]
    if kind == 0:
        return numbers.of(SENTENCES).encode()
    out = ""
    for _ in range(1 + numbers.below(24)):
        what = numbers.below(12)
        if kind <= 4 or what < 4:
            start = numbers.below(len(words))
            out += " ".join(words[start : start + 1 + numbers.below(6)])
        elif what < 9:
            first, last = numbers.of(SCRIPTS)
            out += "".join(chr(first + numbers.below(last - first + 1)) for _ in range(1 + numbers.below(8)))
        elif what == 9:
            out += str(numbers.below(10 ** (1 + numbers.below(9))))
        else:
            out += numbers.of(ODD)
        if numbers.below(4):
            out += numbers.of(SPACES) if kind > 2 else " "
    data = out.encode()
    if kind == 9:
        for _ in range(1 + numbers.below(4)):
            place = numbers.below(len(data) + 1)
            data = data[:place] + numbers.of(BROKEN) + data[place + numbers.below(2) :]
    return data


def lines(count=10_000):
    numbers = Numbers(18)
    return [b"", b" ", b"\n", b"  a", b"a  "] + [line(numbers) for _ in range(count - 5)]


def write(path, texts):
    """Each text behind its number of bytes, as 32 bits: it may hold any byte."""
    with open(path, "wb") as file:
        for text in texts:
            file.write(struct.pack("<I", len(text)) + text)
