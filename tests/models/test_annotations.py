"""What recognisers write that nobody said, and what people say that looks like it."""

import time

import pytest

from models.annotations import spoken

NO_WORDS = [
    "[BLANK_AUDIO]",
    "[ Silence ]",
    "[Música]",
    "[Musik]  [Applaus]",
    "[typing on keyboard",
    "[00:00:00.000 --> 00:00:02.000]",
    "(music)",
    "(speaking in foreign language)",
    "（音楽）",
    "【拍手】",
    "〔笑い声〕",
    "{laughs}",
    "*coughs*",
    "* Musik *",
    "＊咳＊",
    "*sighs",
    "♪",
    "♪♪♪",
    "♪ la la la ♪",
    "♫ and I will always",
    "🎵 la la la 🎶",
    "<|nospeech|>",
    "<noise> <unk>",
    "<|en|><|EMO_UNKNOWN|><|BGM|>",
    "... ♪ (music) ...",
    "Thanks for watching!",
    "Thank you for watching.",
    "Thank you so much for watching, and I'll see you in the next video. Bye!",
    "Please subscribe to my channel.",
    "Like, comment and subscribe!",
    "Subtitles by the Amara.org community",
    "Transcription by CastingWords",
    "www.mooji.org",
    "Copyright © 2020 Mooji Media Ltd. All Rights Reserved.",
    "Untertitel der Amara.org-Community",
    "Untertitel im Auftrag des ZDF für funk, 2017",
    "Untertitelung des ZDF, 2020",
    "Untertitel: Stephanie Geiges",
    "Subtitles by Maria Lopez",
    "Captions: J. Doe",
    "Legendas por TIAGO ANDERSON",
    "Subs by www.zeoranger.co.uk",
    "Sottotitoli a cura di QTSS",
    "Редактор субтитров И.Бойкова",
    "Субтитры создавал DimaTorzok",
    "Napisy: Jan Kowalski",
    "Copyright WDR 2021",
    "Thank you for watching and see you in the next video.",
    "Vielen Dank fürs Zuschauen!",
    "Vielen Dank für's Zuschauen.",
    "Sous-titres réalisés para la communauté d'Amara.org",
    "Sous-titrage ST' 501",
    "Sous-titrage Société Radio-Canada",
    "Merci d'avoir regardé cette vidéo !",
    "N'oubliez pas de vous abonner.",
    "Subtítulos realizados por la comunidad de Amara.org",
    "¡Gracias por ver el video!",
    "Suscríbete al canal.",
    "Sottotitoli e revisione a cura di QTSS",
    "Sottotitoli creati dalla comunità Amara.org",
    "Grazie per aver guardato il video.",
    "Legendas pela comunidade Amara.org",
    "Obrigado por assistir!",
    "Ondertitels ingediend door de Amara.org gemeenschap",
    "Bedankt voor het kijken!",
    "Napisy stworzone przez społeczność Amara.org",
    "Dziękuję za oglądanie!",
    "Редактор субтитров А.Семкин Корректор А.Егорова",
    "Субтитры сделал DimaTorzok",
    "Продолжение следует...",
    "Спасибо за просмотр!",
    "Дякую за перегляд!",
    "Υπότιτλοι AUTHORWAVE",
    "Ευχαριστούμε που παρακολουθήσατε.",
    "Titulky vytvořil JohnyX.",
    "Děkuji za pozornost.\n[hudba]",
    "Undertexter från Amara.org-gemenskapen",
    "Tack för att ni tittade.",
    "Teksting av Nicolai Winther",
    "Danske tekster af Nicolai Winther",
    "Tak fordi du så med.",
    "Altyazı M.K.",
    "İzlediğiniz için teşekkür ederim.",
    "ترجمة نانسي قنقر",
    "اشتركوا في القناة",
    "شكرا للمشاهدة",
    "देखने के लिए धन्यवाद",
    "பார்த்ததற்கு நன்றி",
    "ご視聴ありがとうございました。",
    "ご視聴ありがとうございました ご視聴ありがとうございました",
    "チャンネル登録をお願いいたします",
    "시청해 주셔서 감사합니다.",
    "시청해주셔서 감사합니다",
    "구독과 좋아요 부탁드립니다",
    "MBC 뉴스 이덕영입니다.",
    "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目",
    "謝謝觀看",
    "字幕由Amara.org社区提供",
    "字幕by索兰娅",
    "Cảm ơn các bạn đã theo dõi và hẹn gặp lại.",
    "Hãy subscribe cho kênh La La School Để không bỏ lỡ những video hấp dẫn",
    "Terima kasih telah menonton!",
    "ขอบคุณที่รับชม",
    "Köszönöm, hogy megnézted a videót.",
    "Mulțumesc pentru vizionare!",
    "Kiitos, kun katsoit!",
]


@pytest.mark.parametrize("text", NO_WORDS)
def test_what_nobody_said_is_no_words(text: str) -> None:
    assert spoken(text) == ""


SAID = [
    "Captions by Friday would be great.",
    "Captions by Friday.",
    "Captions by Monday, March 3.",
    "Closed captions by default, please.",
    "Captioned by a professional, I hope.",
    "Transcription by hand, please.",
    "Transcription by Doctor Smith.",
    "Transcribed by whom?",
    "Subtitles by email please.",
    "Subtitles by mail, to Anna.",
    "Subtitles, please.",
    "SUBTITLES BY FRIDAY PLEASE",
    "Copyright is what I'm calling about.",
    "We have all rights reserved.",
    "All rights reserved.",
    "Please see the complete disclaimer at the bottom.",
    "Thank you for watching and feeding my cat next week.",
    "Thanks for watching and please call me back.",
    "Thank you for watching over her. See you on Monday.",
    "If you liked this video please send it to my office.",
    "Don't forget to subscribe to the newsletter for me.",
    "See you next time on Tuesday.",
    "Thank you for your attention.",
    "My email is bob@amara.org ok",
    "It's amara.org, with an A.",
    "I work at CastingWords in Chicago.",
    "Mr. Mooji Media called me.",
    "Untertitel brauche ich nicht.",
    "Untertitel bitte auf Deutsch.",
    "Untertitel für den Film am Montag.",
    "Untertitel von Herrn Müller.",
    "SWR drei höre ich gern.",
    "Eine Produktion der Firma liegt still.",
    "Vielen Dank für Ihre Aufmerksamkeit.",
    "Subtítulos en español, por favor.",
    "Suscríbete tú primero.",
    "Más información en la web.",
    "Sous-titres français.",
    "Sous-titrage pour demain.",
    "N'oubliez pas de vous abonner au journal.",
    "Merci de votre attention.",
    "Sottotitoli in italiano, per favore.",
    "Legendas em português.",
    "Inscreva-se.",
    "Ondertitels graag.",
    "Abonneer je op de krant.",
    "Napisy po polsku proszę.",
    "Dziękuję za uwagę.",
    "Titulky nechci.",
    "Undertexter på svenska, tack.",
    "Tekstitys suomeksi.",
    "Altyazı istemiyorum.",
    "Корректор я по профессии.",
    "Субтитры не нужны.",
    "Спасибо за внимание.",
    "Спасибо за просмотр моего резюме.",
    "Дякую за увагу.",
    "Υπότιτλοι στα ελληνικά.",
    "字幕是我们公司提供",
    "中文字幕可以吗",
    "チャンネル登録のお願いでお電話しました",
    "MBC 뉴스 봤어요",
    "한글자막 있어요?",
    "Abone olmayı unutmayın dedi.",
    "Jangan lupa like saya bilang.",
    "Hãy đăng ký kênh cho tôi nhé chị.",
    "כתוביות בעברית בבקשה",
]


@pytest.mark.parametrize("text", SAID)
def test_what_begins_like_a_credit_is_kept(text: str) -> None:
    assert spoken(text) == text


@pytest.mark.parametrize(
    "text", ["Thank you for your attention. [applause]", "(music) Merci de votre attention."]
)
def test_what_may_be_said_is_no_words_beside_what_is_not(text: str) -> None:
    assert spoken(text) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[cough] Yes.", "Yes."),
        ("Okay. (laughs) See you, then.", "Okay. See you, then."),
        ("*sighs* No, thanks.", "No, thanks."),
        ("♪ la la ♪ Hello?", "Hello?"),
        ("<|en|><|NEUTRAL|><|Speech|>Hello.", "Hello."),
        ("[00:00:00.000 --> 00:00:02.000]  Hello.", "Hello."),
        ("Monday at ten. Thanks for watching!", "Monday at ten."),
        ("Am Montag. Untertitel der Amara.org-Community", "Am Montag."),
    ],
)
def test_words_beside_it_are_kept(text: str, said: str) -> None:
    assert spoken(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "Thank you.",
        "Thank you very much. Bye.",
        "x<y and y>z.",
        "Thanks for watching my dog on Monday.",
        "I want to subscribe to your newsletter.",
        "I have a subtitle by mistake.",
        "Vielen Dank!",
        "Merci beaucoup.",
        "Gracias por llamar.",
        "ありがとうございました",
        "감사합니다.",
        "Спасибо за помощь.",
        "you",
        "(415) 555-0132",
        "my extension is (12)",
        "press * then 4 and * again",
        "*67",
        "3 < 5 and 7 > 2",
        "a.org is our site",
        "「はい」と言いました",
        "«Oui»",
        "It's 10:30 a.m. on St. Mary's Rd.",
    ],
)
def test_what_people_say_is_kept(text: str) -> None:
    assert spoken(text) == text


@pytest.mark.parametrize(
    "text",
    ["[", " ", "(1", "*a ", "♪ ", "<a ", "thanks for watching ", "a. ", "\n", "amara org "],
)
def test_no_text_of_a_server_keeps_the_loop_busy(text: str) -> None:
    begun = time.process_time()
    spoken(text * (500_000 // len(text)))
    assert time.process_time() - begun < 5
