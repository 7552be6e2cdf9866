"""How corpora other than RAVDESS name their files."""

import re

from ._files import Naming

JAVA_SED = Naming(
    corpus="Java-SED",
    pattern=re.compile(
        "(?P<actor>[0-9]{2})-(?P<sentence>[0-9]{2})-(?P<emotion>[0-9]{2})_(?P<take>[0-9]{2})"
    ),
    words={
        "emotion": {
            "01": "neutral",
            "02": "sad",
            "03": "happy",
            "04": "surprised",
            "05": "fearful",
            "06": "angry",
        },
    },
    example="java-sed/01-02-03_01.mp4",
    archive="java-sed.zip",
    descr="""\
Java-SED, the Javanese Speech Emotion Database

Actors say Javanese sentences in six emotions: neutral, sad, happy, surprised, fearful and angry.
Each clip has picture and sound. Labels are the acted intent.

File names are AA-SS-EE_TT, for example 01-02-03_01.mp4:

    AA  actor
    SS  sentence
    EE  emotion  01 neutral, 02 sad, 03 happy, 04 surprised, 05 fearful, 06 angry
    TT  take

Source: Arifin F, Priambodo AS, Nasuha A, Winursito A, Gunawan TS (2022), Universitas Negeri
Yogyakarta.
Licence: the authors state none for the video clips; their sibling repositories of the same
corpus are under the MIT licence.
""",
)

TESS = Naming(
    corpus="TESS",
    pattern=re.compile("(?P<actor>OAF|YAF)_(?P<word>[a-z]+)_(?P<emotion>[a-z]+)"),
    words={
        "emotion": {
            "neutral": "neutral",
            "happy": "happy",
            "sad": "sad",
            "angry": "angry",
            "fear": "fearful",
            "disgust": "disgust",
            "ps": "surprised",
        },
    },
    misnamed={"OA_bite_neutral": "OAF_bite_neutral"},
    example="OAF_angry/OAF_back_angry.wav",
    archive="dataverse_files.zip",
    descr="""\
TESS, the Toronto emotional speech set

Two actresses, OAF aged 64 and YAF aged 26, say "Say the word ..." with 200 words in seven
emotions: neutral, happy, sad, angry, fearful, disgust and surprised, 2,800 clips of sound alone.
Labels are the acted intent. With two speakers, figures say next to nothing about other people.

File names are SSS_word_emotion, for example YAF_dog_ps.wav:

    SSS      actress  OAF, YAF
    word     the word said
    emotion  neutral, happy, sad, angry, fear (here: fearful), disgust, ps (pleasant surprise,
             here: surprised)

OA_bite_neutral.wav is published under that name and is OAF's. Folders (OAF_angry,
YAF_pleasant_surprised) say nothing that the names do not, and are not read.

Source: Pichora-Fuller MK, Dupuis K (2020). Toronto emotional speech set (TESS).
https://doi.org/10.5683/SP2/E8H2MF
Licence: Creative Commons, non-commercial; copies differ on whether BY-NC 4.0 or BY-NC-ND 4.0. See
the record.
""",
)

CREMA_D = Naming(
    corpus="CREMA-D",
    pattern=re.compile(
        "(?P<actor>[0-9]{4})_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_(?P<level>[A-Z]{2})"
    ),
    words={
        "sentence": {
            "IEO": "It's eleven o'clock",
            "TIE": "That is exactly what happened",
            "IOM": "I'm on my way to the meeting",
            "IWW": "I wonder what this is about",
            "TAI": "The airplane is almost full",
            "MTI": "Maybe tomorrow it will be cold",
            "IWL": "I would like a new alarm clock",
            "ITH": "I think I have a doctor's appointment",
            "DFA": "Don't forget a jacket",
            "ITS": "I think I've seen this before",
            "TSI": "The surface is slick",
            "WSI": "We'll stop in a couple of minutes",
        },
        "emotion": {
            "NEU": "neutral",
            "HAP": "happy",
            "SAD": "sad",
            "ANG": "angry",
            "FEA": "fearful",
            "DIS": "disgust",
        },
        "level": {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified"},
    },
    misnamed={"1040_ITH_SAD_X": "1040_ITH_SAD_XX"},
    example="AudioWAV/1001_DFA_ANG_XX.wav",
    archive="AudioWAV.zip",
    descr="""\
CREMA-D, the Crowd-sourced Emotional Multimodal Actors Dataset

91 actors (48 male, 43 female) say twelve English sentences in six emotions: neutral, happy, sad,
angry, fearful and disgust; one of the sentences at three levels. 7,442 clips, published as video
with sound (VideoFlash) and as sound alone (AudioWAV, AudioMP3). Labels are the acted intent, not
what the raters of the corpus made of it.

File names are AAAA_SSS_EEE_LL, for example 1001_DFA_ANG_XX.wav:

    AAAA  actor     1001 to 1091
    SSS   sentence  by three letters, such as DFA "Don't forget a jacket"
    EEE   emotion   NEU neutral, HAP happy, SAD sad, ANG angry, FEA fearful, DIS disgust
    LL    level     LO low, MD medium, HI high, XX unspecified

1040_ITH_SAD_X is published under that name and is 1040_ITH_SAD_XX; 1076_MTI_SAD_XX is silent. The
repository keeps its clips in Git LFS: without it, a clone has a few lines of text in their place.

Source: Cao H, Cooper DG, Keutmann MK, Gur RC, Nenkova A, Verma R (2014). CREMA-D: Crowd-sourced
Emotional Multimodal Actors Dataset. IEEE Transactions on Affective Computing 5(4), 377-390.
https://doi.org/10.1109/TAFFC.2014.2336244
Data: https://github.com/CheyneyComputerScience/CREMA-D
Licence: Open Database License (ODbL) 1.0; contents Database Contents License (DbCL) 1.0.
""",
)
