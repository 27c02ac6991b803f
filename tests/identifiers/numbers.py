"""Numbers with valid check digits, made by hand from the published rules, without the definitions under test."""

from random import Random


def digits(rng: Random, n: int, first: str = "123456789") -> str:
    return rng.choice(first) + "".join(rng.choice("0123456789") for _ in range(n - 1))


def luhn(body: str) -> str:
    total = 0
    for place, sign in enumerate(reversed(body)):
        value = int(sign) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


def nhs(rng: Random) -> str:
    while True:
        body = digits(rng, 9, "4679")
        check = 11 - sum(int(sign) * weight for sign, weight in zip(body, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            return body + str(check % 11)


def bsn(rng: Random) -> str:
    while True:
        body = digits(rng, 8)
        check = sum(int(sign) * weight for sign, weight in zip(body, range(9, 1, -1), strict=True)) % 11
        if check < 10:
            return body + str(check)


def dni(rng: Random) -> str:
    number = digits(rng, 8)
    return number + "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23]


def nir(rng: Random) -> str:
    born = f"{rng.randrange(30, 99)}{rng.randrange(1, 13):02d}"
    body = f"{rng.choice('12')}{born}{rng.randrange(1, 95):02d}{rng.randrange(1, 990):03d}{rng.randrange(1, 990):03d}"
    return f"{body}{97 - int(body) % 97:02d}"


def codice_fiscale(rng: Random) -> str:
    consonants = "BCDFGLMNPRSTVZ"
    letters = "".join(rng.choice(consonants) for _ in range(6))
    born = f"{rng.randrange(30, 99):02d}{rng.choice('ABCDEHLMPRST')}{rng.randrange(1, 29):02d}"
    body = f"{letters}{born}{rng.choice('AFHL')}{rng.randrange(1, 999):03d}"
    odd = dict(zip("0123456789", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21), strict=True))
    odd |= dict(zip("ABCDEFGHIJ", odd.values(), strict=True))
    odd |= dict(zip("KLMNOPQRSTUVWXYZ", (2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23), strict=True))
    even = {sign: int(sign) if sign.isdigit() else ord(sign) - 65 for sign in odd}
    total = sum(odd[sign] if place % 2 == 0 else even[sign] for place, sign in enumerate(body))
    return body + chr(65 + total % 26)


def personnummer(rng: Random) -> str:
    born = f"{rng.randrange(30, 99):02d}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}"
    whole = luhn(born + f"{rng.randrange(1000):03d}")
    return f"{born}-{whole[-4:]}"


def steuer_id(rng: Random) -> str:
    body, product = digits(rng, 10), 10
    for sign in body:
        total = (int(sign) + product) % 10 or 10
        product = total * 2 % 11
    return body + str((11 - product) % 10)


def rentenversicherung(rng: Random) -> str:
    letter = rng.choice("ABCDEFGHKLMNPRSTWZ")
    front = f"{rng.randrange(10, 90)}{rng.randrange(1, 29):02d}{rng.randrange(1, 13):02d}{rng.randrange(30, 99):02d}"
    serial = f"{rng.randrange(100):02d}"
    numbers = front + f"{ord(letter) - 64:02d}" + serial
    weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
    total = sum(sum(divmod(int(sign) * weight, 10)) for sign, weight in zip(numbers, weights, strict=True))
    return front + letter + serial + str(total % 10)


def pesel(rng: Random) -> str:
    body = f"{rng.randrange(30, 99):02d}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}{rng.randrange(10000):04d}"
    total = sum(int(sign) * weight for sign, weight in zip(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3), strict=True))
    return body + str(-total % 10)


def aadhaar(rng: Random) -> str:
    def times(a: int, b: int) -> int:
        if a < 5 and b < 5:
            return (a + b) % 5
        if a < 5:
            return 5 + (a + b - 5) % 5
        return 5 + (a - 5 - b) % 5 if b < 5 else (a - b) % 5

    turn = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]
    inverse = [0, 4, 3, 2, 1, 5, 6, 7, 8, 9]
    body, state = digits(rng, 11, "23456789"), 0
    for place, sign in enumerate(reversed(body), start=1):
        value = int(sign)
        for _ in range(place % 8):
            value = turn[value]
        state = times(state, value)
    return body + str(inverse[state])


def iban(rng: Random, country: str, length: int) -> str:
    account = digits(rng, length - 4)
    numbers = account + "".join(str(ord(sign) - 55) for sign in country) + "00"
    return f"{country}{98 - int(numbers) % 97:02d}{account}"


def vin(rng: Random) -> str:
    values = dict(
        zip(
            "ABCDEFGHJKLMNPRSTUVWXYZ",
            (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9),
            strict=True,
        )
    )
    signs = [rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ0123456789") for _ in range(11)] + list(digits(rng, 6))
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    total = sum(values.get(sign, ord(sign) - 48) * weight for sign, weight in zip(signs, weights, strict=True))
    signs[8] = "0123456789X"[total % 11]
    return "".join(signs)


def ssn(rng: Random) -> str:
    return f"{rng.randrange(1, 665):03d}-{rng.randrange(1, 100):02d}-{rng.randrange(1, 10000):04d}"
